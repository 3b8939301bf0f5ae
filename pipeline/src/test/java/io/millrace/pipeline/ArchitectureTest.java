package io.millrace.pipeline;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.millrace.testing.Packages;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The arrows between the modules: who may know of whom, and of which library. */
@Tag("unit")
class ArchitectureTest {
  private static final List<String> MODULES =
      List.of("schemas", "svft", "client", "operators", "inference", "pipeline");

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("io.millrace");

  @Test
  void everyModuleThatMayBeSeenHereIs() {
    for (String module : MODULES) {
      assertThat(CLASSES.stream().anyMatch(c -> c.getPackageName().startsWith(packageOf(module))))
          .as(module)
          .isEqualTo(!module.equals("inference"));
    }
  }

  @Test
  void schemasStandOnNothingOfOurs() {
    noneOf("schemas", otherThan("schemas"));
    noneOf("schemas", "org.apache.kafka..", "org.apache.flink..", "ai.djl..");
  }

  @Test
  void theMethodKnowsNeitherStreamsNorRecords() {
    noneOf("svft", otherThan("svft"));
    noneOf("svft", "org.apache.kafka..", "org.apache.flink..", "org.apache.avro..");
  }

  @Test
  void theClientKnowsNeitherFlinkNorTraining() {
    noneOf("client", otherThan("client", "schemas"));
    noneOf("client", "org.apache.flink..", "ai.djl..");
  }

  @Test
  void operatorsLeaveKafkaToThePipeline() {
    noneOf("operators", otherThan("operators", "svft", "schemas"));
    noneOf("operators", "org.apache.kafka..", "org.apache.flink.connector.kafka..");
  }

  /** Its RocksDB and Flink's are one package in two versions: it runs as a process of its own. */
  @Test
  void thePipelineStartsInferenceAndNeverLinksIt() {
    noneOf("pipeline", "io.millrace.inference..");
  }

  @Test
  void thePipelineLeavesTorchToTheMethod() {
    noneOf("pipeline", "ai.djl..");
  }

  /** The root package included. */
  @Test
  void thePipelinesPackagesFormNoCycle() {
    slices()
        .assignedFrom(Packages.of(packageOf("pipeline")))
        .should()
        .beFreeOfCycles()
        .check(CLASSES);
  }

  @Test
  void onlyCommandsUseCommands() {
    noClasses()
        .that()
        .resideOutsideOfPackage("io.millrace.pipeline.cli..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.millrace.pipeline.cli..")
        .check(CLASSES);
  }

  /** They stand on nothing else of the pipeline, so that every other part can use them. */
  @Test
  void theFoundationsOfThePipelineStandAlone() {
    for (String part : List.of("settings", "records", "input", "report", "embedded", "console")) {
      noClasses()
          .that()
          .resideInAPackage("io.millrace.pipeline." + part + "..")
          .should()
          .dependOnClassesThat(
              resideInAPackage("io.millrace.pipeline..")
                  .and(not(resideInAPackage("io.millrace.pipeline." + part + ".."))))
          .check(CLASSES);
    }
  }

  /** The engine's white-box benchmarks are in its own package. */
  @Test
  void onlySvftUsesItsEngine() {
    noClasses()
        .that()
        .resideOutsideOfPackage("io.millrace.svft..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.millrace.svft.engine..")
        .check(CLASSES);
  }

  private static void noneOf(String module, String... packages) {
    noClasses()
        .that()
        .resideInAPackage(packageOf(module) + "..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(packages)
        .check(CLASSES);
  }

  private static String[] otherThan(String... allowed) {
    return MODULES.stream()
        .filter(module -> !Arrays.asList(allowed).contains(module))
        .map(module -> packageOf(module) + "..")
        .toArray(String[]::new);
  }

  private static String packageOf(String module) {
    return "io.millrace." + module;
  }
}
