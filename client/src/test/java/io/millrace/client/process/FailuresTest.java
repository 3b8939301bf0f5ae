package io.millrace.client.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class FailuresTest {
  @Test
  void theRootSaysWhyAndTheOutermostMessageWhat() {
    says(
        "the job failed: Connection refused",
        new RuntimeException(
            "the job failed", new IOException(new ConnectException("Connection refused"))));
  }

  @Test
  void exceptionsThatOnlyPassOnAreNotHeard() {
    says(
        "disk is full",
        new CompletionException(new ExecutionException(new IOException("disk is full"))));
  }

  @Test
  void aRepeatedReasonIsGivenOnce() {
    says(
        "cannot write: disk is full",
        new IOException("cannot write: disk is full", new IOException("disk is full")));
  }

  @Test
  void aBareNameGetsItsExceptionInWords() {
    says("unknown host: broker-7", new UnknownHostException("broker-7"));
    says(
        "cannot reach Kafka: unknown host: broker-7",
        new IOException("cannot reach Kafka", new UnknownHostException("broker-7")));
  }

  @Test
  void withoutAnyMessageTheExceptionIsPutInWords() {
    says(
        "no answer from Kafka: timeout",
        new IOException("no answer from Kafka", new TimeoutException()));
    says("unexpected failure: null pointer", new NullPointerException());
  }

  @Test
  void aCircleOfCausesEnds() {
    IOException inner = new IOException("inner failure");
    IOException outer = new IOException("outer failure", inner);
    inner.initCause(outer);
    says("outer failure: inner failure", outer);
  }

  private static void says(String expected, Throwable failure) {
    assertThat(Failures.describe(failure)).isEqualTo(expected);
  }
}
