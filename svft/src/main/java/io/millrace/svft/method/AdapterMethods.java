package io.millrace.svft.method;

import java.util.List;
import java.util.stream.Collectors;

/** The registry of adapter methods. A new method is one class, and one line here. */
public final class AdapterMethods {
  private static final List<MethodForm> FORMS =
      List.of(
          Svft.FORM,
          Svf.FORM,
          Lora.FORM,
          Pissa.FORM,
          Dora.FORM,
          Vera.FORM,
          LoraXs.FORM,
          Oft.FORM,
          Boft.FORM,
          Hra.FORM,
          Ia3.FORM,
          BiasTuning.FORM,
          LayerNormTuning.FORM,
          FullFineTuning.FORM,
          HeadOnly.FORM);

  private AdapterMethods() {}

  /** The forms of all methods, in the order of the help text. */
  public static List<MethodForm> forms() {
    return FORMS;
  }

  /**
   * The form with a given id.
   *
   * @throws IllegalArgumentException if there is no such method
   */
  public static MethodForm form(String id) {
    return FORMS.stream()
        .filter(form -> form.id().equals(id))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("unknown adapter method \"" + id + "\""));
  }

  /** See {@link AdapterMethod#parse}. */
  static AdapterMethod parse(String text) {
    MethodText parts = MethodText.of(text);
    for (MethodForm form : FORMS) {
      if (form.takes(parts)) {
        return form.parse(parts);
      }
    }
    List<String> usages = FORMS.stream().flatMap(MethodForm::usages).toList();
    throw new IllegalArgumentException(
        "unknown adapter method \""
            + text
            + "\": use "
            + usages.stream().limit(usages.size() - 1).collect(Collectors.joining(", "))
            + " or "
            + usages.get(usages.size() - 1));
  }
}
