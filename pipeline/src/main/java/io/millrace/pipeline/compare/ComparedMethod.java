package io.millrace.pipeline.compare;

import io.millrace.client.process.UsageException;
import io.millrace.svft.method.AdapterMethod;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * One of the methods to compare.
 *
 * @param text as the user wrote it
 * @param method what it means
 */
public record ComparedMethod(String text, AdapterMethod method) {

  /**
   * The methods of a list.
   *
   * @param list texts of {@link AdapterMethod#parse}, joined by commas
   * @throws UsageException where one is no method, or stands there twice, in whatever words
   */
  public static List<ComparedMethod> list(String list) {
    Set<ComparedMethod> methods = new LinkedHashSet<>();
    Set<AdapterMethod> seen = new HashSet<>();
    for (String text : list.split(",", -1)) {
      ComparedMethod method = parse(text.strip());
      if (!seen.add(method.method())) {
        throw new UsageException(
            "--methods: %s stands there twice (%s)"
                .formatted(method.text(), method.method().spec()));
      }
      methods.add(method);
    }
    return List.copyOf(methods);
  }

  /**
   * @throws UsageException where {@code text} is no method
   */
  static ComparedMethod parse(String text) {
    try {
      return new ComparedMethod(text, AdapterMethod.parse(text));
    } catch (IllegalArgumentException e) {
      throw new UsageException("--methods: " + e.getMessage(), e);
    }
  }
}
