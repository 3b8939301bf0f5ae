package io.millrace.client.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Services;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Whatever bytes arrive, a record or one exception comes out, in little memory. */
@Tag("integration")
@ExtendWith(Services.class)
class MalformedRecordFuzzTest {
  private static final int ROUNDS = 20_000;
  private static final int HEADER = 5;
  private static final byte[][] NUMBERS = {
    {-2, -1, -1, -1, 15}, // 2^31 - 1
    {-1, -1, -1, -1, 15}, // -2^31
    {-2, -1, -1, -1, -1, -1, -1, -1, -1, 1}, // 2^63 - 1
    {-1, -1, -1, -1, -1, -1, -1, -1, -1, 1}, // -2^63
    {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, // no end
    {-128, -128, -128, -128, 1} // 2^27
  };

  private final Random random = new Random(20_260_101);

  @Test
  void mutatedRecordsAreReadOrUnreadable(ApicurioRegistry registry) {
    Connection connection = TestConnection.to(registry);
    Serializer<Object> serializer = connection.serializer();
    Deserializer<Object> deserializer = connection.deserializer(Object.class);
    List<byte[]> seeds =
        Records.ALL.stream().map(record -> serializer.serialize("fuzz", record)).toList();
    ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    int read = 0;
    for (int round = 0; round < ROUNDS; round++) {
      byte[] bytes = mutate(seeds.get(random.nextInt(seeds.size())));
      long before = memory.getCurrentThreadAllocatedBytes();
      try {
        assertThat(deserializer.deserialize("fuzz", bytes)).isInstanceOf(SpecificRecord.class);
        read++;
      } catch (UnreadableRecordException e) {
        assertThat(e).message().isNotBlank();
      }
      assertThat(memory.getCurrentThreadAllocatedBytes() - before).isLessThan(1 << 20);
    }
    assertThat(read).isBetween(ROUNDS / 100, ROUNDS / 2);
  }

  private byte[] mutate(byte[] record) {
    int at = HEADER + random.nextInt(record.length - HEADER);
    byte[] changed = record.clone();
    switch (random.nextInt(5)) {
      case 0 -> changed[at] = (byte) random.nextInt();
      case 1 -> changed = Arrays.copyOf(record, at);
      case 2 -> changed = insert(record, at, NUMBERS[random.nextInt(NUMBERS.length)]);
      case 3 -> changed = noise(record, at, random.nextInt(100));
      default -> changed = noise(record, 0, random.nextInt(100));
    }
    return changed;
  }

  private static byte[] insert(byte[] record, int at, byte[] number) {
    byte[] changed = Arrays.copyOf(record, record.length + number.length);
    System.arraycopy(number, 0, changed, at, number.length);
    System.arraycopy(record, at, changed, at + number.length, record.length - at);
    return changed;
  }

  /** The beginning of {@code record}, then {@code length} bytes of anything. */
  private byte[] noise(byte[] record, int at, int length) {
    byte[] tail = new byte[length];
    random.nextBytes(tail);
    byte[] changed = Arrays.copyOf(record, at + length);
    System.arraycopy(tail, 0, changed, at, length);
    return changed;
  }
}
