package io.millrace.pipeline.cli;

import io.millrace.schemas.text.ShownText;
import java.math.BigDecimal;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Parses a share of the requests: {@code 0.1} or {@code 10%}. */
final class Share implements ITypeConverter<Double> {
  @Override
  public Double convert(String text) {
    boolean percent = text.endsWith("%");
    String digits = percent ? text.substring(0, text.length() - 1).strip() : text;
    double share;
    try {
      share = new BigDecimal(digits).movePointLeft(percent ? 2 : 0).doubleValue();
    } catch (NumberFormatException | ArithmeticException e) {
      throw refused(text);
    }
    if (!(share > 0 && share <= 1)) {
      throw refused(text);
    }
    return share;
  }

  private static TypeConversionException refused(String text) {
    return new TypeConversionException(
        "\"" + ShownText.of(text) + "\" is not above 0 and at most 1 (0.1 and 10% are a tenth)");
  }
}
