package io.millrace.pipeline.embedded;

import java.util.function.Consumer;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.common.utils.Exit.Procedure;

/**
 * What a broker does that cannot go on, as on a full disk: it ends the process at once. Embedded,
 * it would take the command with it in silence.
 */
public final class BrokerFailure {
  private static final int FAILED = 1;

  private BrokerFailure() {}

  /** From now on, {@code say} is given a line for the user before the process ends. */
  public static void announceTo(Consumer<String> say) {
    Procedure end =
        (status, message) -> {
          String reason = message == null ? "" : ": " + message;
          say.accept("the embedded Kafka broker cannot go on" + reason);
          // Kafka does not expect to come back from here.
          Runtime.getRuntime().halt(FAILED);
        };
    Exit.setExitProcedure(end);
    Exit.setHaltProcedure(end);
  }
}
