package io.millrace.svft.method;

import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * How users write a method, and what it is called: see {@link AdapterMethods}, which lists the form
 * of every method.
 *
 * @param id such as {@code svft}
 * @param summary a few words on what is trained
 * @param usage how its text may begin: {@code svft}, {@code svft:PATTERN}
 * @param options the options of its own; {@code weights} comes with {@code takesWeights}
 * @param takesWeights whether it adapts linear weights, which the option {@code weights} chooses
 * @param parser makes the method of a text that takes no other options than these
 */
public record MethodForm(
    String id,
    String summary,
    List<String> usage,
    List<MethodOption> options,
    boolean takesWeights,
    Function<MethodText, AdapterMethod> parser) {

  boolean takes(MethodText text) {
    return text.id().equals(id) && (text.argument().isEmpty() || takesArgument());
  }

  private boolean takesArgument() {
    return options.stream().anyMatch(option -> option.role() == MethodOption.Role.ARGUMENT);
  }

  AdapterMethod parse(MethodText text) {
    text.requireOnly(
        Stream.concat(
                options.stream()
                    .filter(option -> option.role() != MethodOption.Role.ARGUMENT)
                    .map(MethodOption::name),
                takesWeights ? Stream.of("weights") : Stream.empty())
            .collect(Collectors.toSet()));
    return parser.apply(text);
  }

  /**
   * The text of a method of this form.
   *
   * @param values per option its value
   * @param weights the weights, joined by +; empty for the method's own
   */
  public String text(Map<String, String> values, String weights) {
    StringBuilder text = new StringBuilder(id);
    for (MethodOption option : options) {
      text.append(option.text(values.get(option.name())));
    }
    if (takesWeights && !weights.isEmpty()) {
      text.append(";weights=").append(weights);
    }
    return text.toString();
  }
}
