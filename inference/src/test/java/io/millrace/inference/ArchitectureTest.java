package io.millrace.inference;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("io.millrace.inference");

  @Test
  void servingNeverDependsOnFlinkOrOnWhatTrains() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "org.apache.flink..",
            "io.millrace.operators..",
            "io.millrace.pipeline..",
            "io.millrace.benchmarks..")
        .check(CLASSES);
  }

  @Test
  void onlyWhatReadsAndWritesTopicsKnowsKafka() {
    noClasses()
        .that()
        .haveNameNotMatching(".*\\.(TopicReader|KafkaClients|ExampleWriter)(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.apache.kafka..")
        .check(CLASSES);
  }

  @Test
  void onlyTheStoresKnowRocksDb() {
    noClasses()
        .that()
        .haveNameNotMatching(".*\\.(AdapterStore|ServedRequests)(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.rocksdb..")
        .check(CLASSES);
  }
}
