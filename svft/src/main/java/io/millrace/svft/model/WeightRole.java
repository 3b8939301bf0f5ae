package io.millrace.svft.model;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/**
 * The role of a linear weight in a transformer layer. {@link EncoderConfig#weights} has the order
 * of these constants.
 */
public enum WeightRole {
  QUERY("query"),
  KEY("key"),
  VALUE("value"),
  ATTENTION_OUTPUT("attention-output"),
  INTERMEDIATE("intermediate"),
  OUTPUT("output");

  private static final Set<WeightRole> ALL =
      Collections.unmodifiableSet(EnumSet.allOf(WeightRole.class));

  private final String id;

  WeightRole(String id) {
    this.id = id;
  }

  /** All six roles, in order. They are the default of a method that adapts weights. */
  public static Set<WeightRole> all() {
    return ALL;
  }

  /** The name in settings and files. */
  @JsonValue
  public String id() {
    return id;
  }
}
