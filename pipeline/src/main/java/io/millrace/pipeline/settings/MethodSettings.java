package io.millrace.pipeline.settings;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.AdapterMethods;
import io.millrace.svft.method.MethodForm;
import io.millrace.svft.method.MethodOption;
import io.millrace.svft.method.PlainPattern;
import io.millrace.svft.method.Svft;
import io.millrace.svft.model.WeightRole;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The settings that choose the adapter method, made from the methods' forms: {@code
 * adapter.method}, {@code adapter.weights}, and per option of a method {@code <method>.<option>}. A
 * new method needs no line here.
 */
final class MethodSettings {
  static final Setting<String> METHOD =
      Setting.choice(
          "adapter.method",
          new Svft(new PlainPattern()).id(),
          AdapterMethods.forms().stream().map(MethodForm::id).toList(),
          "What is trained beside the head: "
              + AdapterMethods.forms().stream()
                  .map(form -> form.id() + ", " + form.summary())
                  .collect(Collectors.joining("; "))
              + ".");

  static final Setting<String> WEIGHTS =
      Setting.text(
          "adapter.weights",
          "",
          "The weights that are adapted, joined by +: query, key, value, attention-output,"
              + " intermediate, output; all six unless set, for top-k the four square ones.");

  /** An option of a method, as a setting. */
  private record OptionSetting(MethodForm form, MethodOption option, Setting<?> setting) {

    static OptionSetting of(MethodForm form, MethodOption option) {
      String key = form.id() + "." + option.name();
      Setting<?> setting =
          switch (option.type()) {
            case TEXT -> Setting.text(key, option.defaultValue(), option.description());
            case WHOLE_NUMBER ->
                Setting.integer(
                    key,
                    Integer.parseInt(option.defaultValue()),
                    (int) option.min(),
                    (int) option.max(),
                    option.description());
            case DECIMAL ->
                Setting.decimal(
                    key,
                    Double.parseDouble(option.defaultValue()),
                    option.min(),
                    option.max(),
                    option.description());
          };
      return new OptionSetting(form, option, setting);
    }

    boolean isDerived() {
      return option.role() == MethodOption.Role.DERIVED;
    }
  }

  private static final List<OptionSetting> OPTIONS =
      AdapterMethods.forms().stream()
          .flatMap(form -> form.options().stream().map(option -> OptionSetting.of(form, option)))
          .toList();

  /** All of them. */
  static final List<Setting<?>> ALL =
      Stream.concat(Stream.of(METHOD, WEIGHTS), OPTIONS.stream().map(OptionSetting::setting))
          .toList();

  private MethodSettings() {}

  /** Those whose default value another method, or another option, may change. */
  static List<Setting<?>> derived() {
    return Stream.concat(
            Stream.of(WEIGHTS),
            OPTIONS.stream().filter(OptionSetting::isDerived).map(OptionSetting::setting))
        .toList();
  }

  /** Those that choose a method. */
  static List<Setting<?>> choosing() {
    List<Setting<?>> choosing = new ArrayList<>(ALL);
    choosing.removeAll(derived());
    return choosing;
  }

  /**
   * What is trained beside the head.
   *
   * @throws UsageException where the settings do not go together
   */
  static AdapterMethod method(Settings settings) {
    MethodForm form = AdapterMethods.form(settings.get(METHOD));
    Map<String, String> values = new HashMap<>();
    for (OptionSetting each : options(form)) {
      values.put(each.option().name(), settings.text(each.setting()));
    }
    try {
      return AdapterMethod.parse(form.text(values, settings.get(WEIGHTS)));
    } catch (IllegalArgumentException e) {
      throw new UsageException(e.getMessage(), e);
    }
  }

  /** A method's own settings by key, each with the value in force, and its weights. */
  static Map<String, String> inForce(AdapterMethod method) {
    Map<String, String> texts = new HashMap<>();
    texts.put(METHOD.key(), method.id());
    for (OptionSetting each : options(method.form())) {
      texts.put(each.setting().key(), method.options().get(each.option().name()));
    }
    if (!method.weights().isEmpty()) {
      texts.put(
          WEIGHTS.key(),
          method.weights().stream().map(WeightRole::id).collect(Collectors.joining("+")));
    }
    return texts;
  }

  private static List<OptionSetting> options(MethodForm form) {
    return OPTIONS.stream().filter(each -> each.form().equals(form)).toList();
  }
}
