package io.millrace.svft.model;

import java.io.IOException;

/** A model outside the store, which it can be imported from. */
interface ModelSource {
  /** The name it gets in the store. */
  String name();

  /**
   * Reads and checks the model.
   *
   * @throws ModelException naming file and field or tensor, where it is not supported or broken
   */
  Checkpoint read() throws IOException;
}
