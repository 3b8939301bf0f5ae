package io.millrace.svft.model;

import com.fasterxml.jackson.annotation.JsonValue;

/** How the last hidden states of a sequence are pooled to one vector. */
public enum Pooling {
  /** The mean over all tokens, special tokens included. */
  MEAN("mean"),
  /** The vector of the first token, which is [CLS] in BERT and {@code <s>} in RoBERTa. */
  FIRST_TOKEN("cls");

  private final String id;

  Pooling(String id) {
    this.id = id;
  }

  /** The name in settings and files. */
  @JsonValue
  public String id() {
    return id;
  }
}
