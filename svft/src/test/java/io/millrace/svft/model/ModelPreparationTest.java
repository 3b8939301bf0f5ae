package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.ChildJvm;
import io.millrace.svft.export.HuggingFaceDirectory;
import io.millrace.testing.Await;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several threads and processes prepare one model at once, and a preparation follows a crash. */
@Tag("integration")
class ModelPreparationTest {
  @TempDir private Path directory;
  private Path source;
  private Path root;
  private String name;

  @BeforeEach
  void places() throws Exception {
    source = HuggingFaceDirectory.of(Architecture.BERT).write(directory.resolve("tiny"));
    root = Files.createDirectory(directory.resolve("store"));
    name = new HuggingFaceCheckpoint(source).name();
  }

  @Test
  void whoeverComesAtOnceGetsOneModelAlsoAfterAnInterruptedPreparation() throws Exception {
    Path partial = Files.createDirectory(root.resolve(name + ".partial"));
    Files.writeString(partial.resolve("model.safetensors"), "half a file");
    Files.createDirectory(root.resolve(name));
    Files.writeString(root.resolve(name).resolve("basis.safetensors"), "left by a crash");

    AtomicInteger preparations = new AtomicInteger();
    List<String> hashes = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (ChildJvm other =
        ChildJvm.start(List.of(), ModelPreparationTest.class, root.toString(), source.toString())) {
      List<Future<String>> prepared = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        prepared.add(threads.submit(() -> prepare(root, source, preparations)));
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
    assertThat(hashes).hasSize(3);
    assertThat(hashes.stream().distinct()).hasSize(1);
    try (Stream<Path> left = Files.list(root)) {
      assertThat(left.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrder(name, name + ".lock");
    }
    try (Stream<Path> files = Files.list(root.resolve(name))) {
      assertThat(files.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrder(
              "model.safetensors", "basis.safetensors", "tokenizer.json", "model.json");
    }
  }

  @Test
  void aThreadThatWaitsForAnotherSleeps() throws Exception {
    CompletableFuture<Void> begun = new CompletableFuture<>();
    CompletableFuture<Void> goOn = new CompletableFuture<>();
    ModelStore.Listener holding =
        (model, done, total) -> {
          begun.complete(null);
          goOn.join();
        };
    CompletableFuture<ModelFiles> first =
        CompletableFuture.supplyAsync(
            () -> new ModelStore(root).prepare(source.toString(), holding));
    begun.get(1, TimeUnit.MINUTES);
    AtomicInteger preparations = new AtomicInteger();
    Thread second = new Thread(() -> prepare(root, source, preparations));
    second.start();

    Await.value("the second thread waits", second::getState, Thread.State.WAITING::equals);
    goOn.complete(null);
    assertThat(first.get(1, TimeUnit.MINUTES).name()).isEqualTo(name);
    second.join(TimeUnit.MINUTES.toMillis(1));
    assertThat(second.isAlive()).isFalse();
    assertThat(preparations).hasValue(0);
  }

  private static String prepare(Path root, Path source, AtomicInteger preparations) {
    ModelStore.Listener count =
        (model, done, total) -> preparations.addAndGet(done == total ? 1 : 0);
    return new ModelStore(root).prepare(source.toString(), count).basisSha256();
  }

  /** The other process. Prints the hash of the basis and how often this process computed it. */
  public static void main(String[] args) {
    AtomicInteger preparations = new AtomicInteger();
    System.out.println(prepare(Path.of(args[0]), Path.of(args[1]), preparations));
    System.out.println(preparations);
  }
}
