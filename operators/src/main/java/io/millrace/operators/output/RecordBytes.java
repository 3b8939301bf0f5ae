package io.millrace.operators.output;

import io.millrace.schemas.OutgoingRecord;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;

/** The size of an outgoing record in Kafka, found without a copy of it. */
public final class RecordBytes {
  /** The registry's header in the value, and what Kafka adds to a record. */
  private static final int OVERHEAD = 256;

  private RecordBytes() {}

  /** Bytes of key and value of a record whose value is an Avro record. */
  public static long of(OutgoingRecord record) {
    SpecificRecord value = (SpecificRecord) record.getValue();
    Count count = new Count();
    BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(count, null);
    try {
      new SpecificDatumWriter<SpecificRecord>(value.getSchema()).write(value, encoder);
      encoder.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot count bytes", e);
    }
    return count.bytes + record.getKey().remaining() + OVERHEAD;
  }

  private static final class Count extends OutputStream {
    long bytes;

    @Override
    public void write(int one) {
      bytes++;
    }

    @Override
    public void write(byte[] from, int offset, int length) {
      bytes += length;
    }
  }
}
