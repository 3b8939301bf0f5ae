package io.millrace.svft.model;

import com.fasterxml.jackson.annotation.JsonValue;

/** How a sequence's last hidden states become one vector. */
public enum Pooling {
  /** The mean over all tokens, special tokens included. */
  MEAN("mean"),
  /** The first token's, which BERT calls [CLS] and RoBERTa {@code <s>}. */
  FIRST_TOKEN("cls");

  private final String id;

  Pooling(String id) {
    this.id = id;
  }

  /** Its name in settings and files. */
  @JsonValue
  public String id() {
    return id;
  }
}
