package io.millrace.svft.model;

import java.io.IOException;

/** A model outside the store, from which the store can import it. */
interface ModelSource {
  /** The model's name in the store. */
  String name();

  /**
   * Reads and checks the model.
   *
   * @throws ModelException if the model is not supported or broken; the message names the file and
   *     the field or tensor
   */
  Checkpoint read() throws IOException;
}
