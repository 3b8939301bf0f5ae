package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** MiniLM's preparation takes seconds, so one test holds all that happens around it. */
class ModelPreparationTest {
  @TempDir private Path root;

  @Test
  void whoeverComesAtOnceGetsOneModelAlsoAfterAnInterruptedPreparation() throws Exception {
    Path partial = Files.createDirectory(root.resolve("minilm.partial"));
    Files.writeString(partial.resolve("model.safetensors"), "half a file");
    Files.createDirectory(root.resolve("minilm"));
    Files.writeString(root.resolve("minilm").resolve("basis.safetensors"), "left by a crash");

    AtomicInteger preparations = new AtomicInteger();
    List<String> hashes = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (ChildJvm other = ChildJvm.start(List.of(), ModelPreparationTest.class, root.toString())) {
      List<Future<String>> prepared = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        prepared.add(threads.submit(() -> prepare(root, preparations)));
      }
      for (Future<String> each : prepared) {
        hashes.add(each.get());
      }
      List<String> output = other.output();
      hashes.add(output.get(0));
      preparations.addAndGet(Integer.parseInt(output.get(1)));
    } finally {
      threads.shutdown();
    }

    assertThat(preparations).hasValue(1);
    assertThat(hashes).hasSize(3).containsOnly(Models.miniLm().basisSha256());
    try (Stream<Path> left = Files.list(root)) {
      assertThat(left.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrder("minilm", "minilm.lock");
    }
  }

  private static String prepare(Path root, AtomicInteger preparations) {
    ModelStore.Listener count =
        (model, done, total) -> preparations.addAndGet(done == total ? 1 : 0);
    return new ModelStore(root).prepare(ModelStore.MINILM, count).basisSha256();
  }

  /** The other process: prints the basis's hash and how often it was computed there. */
  public static void main(String[] args) {
    AtomicInteger preparations = new AtomicInteger();
    System.out.println(prepare(Path.of(args[0]), preparations));
    System.out.println(preparations);
  }
}
