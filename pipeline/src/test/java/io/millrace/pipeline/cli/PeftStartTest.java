package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.pipeline.records.TestVersions;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.export.PeftExport;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Torch;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** {@code training.initFrom=peft:DIRECTORY}, from the topic of examples to a replay. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class PeftStartTest {
  private static final Path MODELS = Path.of(System.getProperty("millrace.test.models"));

  @TempDir private Path directory;

  @Test
  void aDomainStartsFromTheDirectoryAndReplaysExactlyUntilItChanges(
      KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Path peft = Files.createDirectory(directory.resolve("peft"));
    ModelFiles miniLm =
        new ModelStore(MODELS).prepare(ModelStore.MINILM, (model, done, total) -> {});
    Adapter adapter = TestVersions.lora(miniLm, "other");
    try (BaseModel base = BaseModel.load(miniLm, Torch.device("cpu"), Set.of())) {
      PeftExport.write(base, adapter, peft);
    }
    try (SubmitHarness harness = new SubmitHarness(directory, kafka, registry)) {
      Said refused = submit(harness, peft, "lora.rank=4");
      assertThat(refused.exitCode()).as("%s", refused).isEqualTo(2);
      assertThat(refused.line())
          .contains(
              "training.initFrom=peft:" + peft,
              "the setting is lora:4;alpha=8;weights=query: set adapter.method=lora, lora.rank=2,");
      harness.send(8);
      assertThat(submit(harness, peft, "lora.rank=2").exitCode()).isZero();
      harness.awaitSteps(1);

      String shown = run(harness, "adapters", "show", "--json", "--domain=reviews").text();
      assertThat(shown).contains("peft:" + peft + ";sha256=");
      assertThat(run(harness, "replay", "--domain=reviews").exitCode()).isZero();
      Said other = run(harness, "replay", "--domain=reviews", "--set=training.initFrom=base");
      assertThat(other.text()).contains("the first step with another state is 1");

      Files.writeString(peft.resolve("millrace.json"), "{}");
      Said changed = run(harness, "replay", "--domain=reviews");
      assertThat(changed.exitCode()).as("%s", changed).isEqualTo(1);
      assertThat(changed.text())
          .contains(
              "the adapter of PEFT in " + peft + ", which it started from, is not what it was")
          .contains(peft + " has changed: its content had the SHA-256 ");
    }
  }

  private static Said submit(SubmitHarness harness, Path peft, String rank) {
    return harness.submit(
        "--set=adapter.method=lora",
        "--set=adapter.weights=query",
        "--set=" + rank,
        "--set=training.initFrom=peft:" + peft,
        "--set=publish.everySteps=1");
  }

  private static Said run(SubmitHarness harness, String... command) {
    List<String> all = new ArrayList<>(List.of(command));
    all.add("--set=kafka.bootstrap.servers=" + harness.connection().bootstrapServers());
    all.add("--set=schema.registry.url=" + harness.connection().registryUrl());
    if (command[0].equals("replay")) {
      all.add("--set=model.store=" + MODELS);
    }
    return Said.run(all.toArray(String[]::new));
  }
}
