package io.millrace.svft.model;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/** What a linear weight does in a transformer layer. The order is that of {@link EncoderConfig}. */
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

  /** All six, in order: what is adapted unless the user says otherwise. */
  public static Set<WeightRole> all() {
    return ALL;
  }

  /** Its name in settings and files. */
  @JsonValue
  public String id() {
    return id;
  }
}
