package io.millrace.client.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Tag("integration")
@Timeout(60)
class ParentWatchTest {
  /** Says who it is and waits for ever. */
  static final class Child {
    public static void main(String[] args) throws InterruptedException {
      System.out.println(ProcessHandle.current().pid());
      new CountDownLatch(1).await();
    }
  }

  /** Starts a {@link Child} under watch, passes on what it says and waits for ever. */
  static final class Parent {
    public static void main(String[] args) throws Exception {
      try (BufferedReader child = watched(Child.class).inputReader()) {
        System.out.println(child.readLine());
        new CountDownLatch(1).await();
      }
    }
  }

  /** Ends at once. */
  static final class Short {
    public static void main(String[] args) {
      System.out.println("done");
    }
  }

  @Test
  void aChildEndsWithItsParentEvenIfThatIsKilled() throws Exception {
    Process parent = java(Parent.class.getName());
    long pid = Long.parseLong(parent.inputReader().readLine());
    ProcessHandle child = ProcessHandle.of(pid).orElseThrow();

    parent.destroyForcibly().waitFor();

    child.onExit().get(30, TimeUnit.SECONDS);
    assertThat(child.isAlive()).isFalse();
  }

  @Test
  void aChildEndsWhenItsInputEnds() throws Exception {
    Process child = watched(Child.class);
    child.inputReader().readLine();
    child.getOutputStream().close();
    assertThat(child.waitFor()).isEqualTo(143);
  }

  @Test
  void aChildMayEndByItself() throws Exception {
    Process child = watched(Short.class);
    assertThat(child.inputReader().readLine()).isEqualTo("done");
    assertThat(child.waitFor()).isZero();
  }

  private static Process watched(Class<?> main) throws IOException {
    return java(ParentWatch.class.getName(), main.getName());
  }

  private static Process java(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx64m", "-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }
}
