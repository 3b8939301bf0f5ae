package io.millrace.operators.adapt;

import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.ReceivedExample;
import io.millrace.svft.tensor.Sha256;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What identifies a batch in the record of its step: where its examples lie, and their content. */
public final class BatchIdentity {
  private BatchIdentity() {}

  /** The examples' positions in order; successive offsets of a partition form one run. */
  static List<OffsetRun> runs(List<ReceivedExample> batch) {
    List<OffsetRun> runs = new ArrayList<>();
    for (ReceivedExample example : batch) {
      OffsetRun last = runs.isEmpty() ? null : runs.get(runs.size() - 1);
      if (last != null
          && last.getPartition() == example.getPartition()
          && last.getFirstOffset() + last.getCount() == example.getOffset()) {
        last.setCount(last.getCount() + 1);
      } else {
        runs.add(new OffsetRun(example.getPartition(), example.getOffset(), 1));
      }
    }
    return runs;
  }

  /** SHA-256 of what is trained on in a batch: text, label and weight of each example, in order. */
  public static String sha256(List<ReceivedExample> batch) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    try {
      for (ReceivedExample received : batch) {
        LabeledExample example = received.getExample();
        write(example.getText(), out);
        write(example.getLabel(), out);
        out.writeFloat(example.getWeight());
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write to memory", e);
    }
    return Sha256.of(bytes.toByteArray());
  }

  private static void write(String text, DataOutputStream out) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
  }
}
