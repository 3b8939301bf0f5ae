package io.millrace.svft.method;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The form of a method: its id, and the text in which users write it. {@link AdapterMethods} lists
 * the forms of all methods.
 *
 * @param id the id, such as {@code svft}
 * @param summary a few words on what is trained
 * @param help lines of help: the beginning of its text, then what is trained
 * @param optionHelp lines of help on its options
 * @param options the method's own options, without {@code weights}
 * @param takesWeights whether it adapts linear weights and so takes the option {@code weights}
 * @param parser makes a method from a text whose options have been checked against these
 */
public record MethodForm(
    String id,
    String summary,
    List<String> help,
    List<String> optionHelp,
    List<MethodOption> options,
    boolean takesWeights,
    Function<MethodText, AdapterMethod> parser) {

  boolean takes(MethodText text) {
    return text.id().equals(id) && (text.argument().isEmpty() || argument().isPresent());
  }

  /** The possible beginnings of its text, such as {@code svft} and {@code svft:PATTERN}. */
  Stream<String> usages() {
    Stream<String> withArgument =
        argument().map(option -> id + ":" + option.name().toUpperCase(Locale.ROOT)).stream();
    return Stream.concat(Stream.of(id), withArgument);
  }

  private Optional<MethodOption> argument() {
    return options.stream()
        .filter(option -> option.role() == MethodOption.Role.ARGUMENT)
        .findFirst();
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
   * Formats the text of a method of this form.
   *
   * @param values the value of each option, by its name
   * @param weights ids of the roles, joined by +; empty for the method's default
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
