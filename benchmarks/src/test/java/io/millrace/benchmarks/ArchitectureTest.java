package io.millrace.benchmarks;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ArchitectureTest {
  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("io.millrace");

  @Test
  void nothingDependsOnBenchmarks() {
    noClasses()
        .that()
        .resideOutsideOfPackage("io.millrace.benchmarks..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.millrace.benchmarks..")
        .check(CLASSES);
  }

  /** Its RocksDB and Flink's are one package in two versions. */
  @Test
  void benchmarksNeverLinkInference() {
    noClasses()
        .that()
        .resideInAPackage("io.millrace.benchmarks..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.millrace.inference..", "org.rocksdb..")
        .check(CLASSES);
  }
}
