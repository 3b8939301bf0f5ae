package io.millrace.svft.model;

import com.fasterxml.jackson.annotation.JsonValue;

/** What a linear weight does in a transformer layer. The order is that of {@link EncoderConfig}. */
public enum WeightRole {
  QUERY("query"),
  KEY("key"),
  VALUE("value"),
  ATTENTION_OUTPUT("attention-output"),
  INTERMEDIATE("intermediate"),
  OUTPUT("output");

  private final String id;

  WeightRole(String id) {
    this.id = id;
  }

  /** Its name in settings and files. */
  @JsonValue
  public String id() {
    return id;
  }
}
