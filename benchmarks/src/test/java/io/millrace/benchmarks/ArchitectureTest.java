package io.millrace.benchmarks;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ArchitectureTest {
  private static final String MODULE = "io.millrace.benchmarks";

  /** Where the build puts this module's classes; those in the engine's package are among them. */
  private static final ImportOption THIS_MODULE =
      location -> location.contains("/benchmarks/target/");

  private static final JavaClasses BENCHMARKS =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .withImportOption(THIS_MODULE)
          .importPackages("io.millrace");

  private static final JavaClasses OTHER_MODULES =
      new ClassFileImporter()
          .withImportOption(location -> !THIS_MODULE.includes(location))
          .importPackages("io.millrace");

  /** Every package is a slice of its own, the root included. */
  private static final SliceAssignment PACKAGES =
      new SliceAssignment() {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass type) {
          return BENCHMARKS.contain(type.getName())
              ? SliceIdentifier.of(type.getPackageName())
              : SliceIdentifier.ignore();
        }

        @Override
        public String getDescription() {
          return "packages of " + MODULE;
        }
      };

  @Test
  void packagesFormNoCircle() {
    slices().assignedFrom(PACKAGES).should().beFreeOfCycles().check(BENCHMARKS);
  }

  @Test
  void nothingDependsOnBenchmarks() {
    noClasses().should().dependOnClassesThat().resideInAPackage(MODULE + "..").check(OTHER_MODULES);
  }

  /** What measures the engine from inside is in the engine's package, and few classes are. */
  @Test
  void theEngineIsClosedToTheOtherBenchmarks() {
    noClasses()
        .that()
        .resideInAPackage(MODULE + "..")
        .should()
        .dependOnClassesThat(
            resideInAPackage("io.millrace.svft.engine..")
                .and(describe("are not benchmarks", type -> !BENCHMARKS.contain(type.getName()))))
        .check(BENCHMARKS);
  }

  /** Its RocksDB and Flink's are one package in two versions. */
  @Test
  void benchmarksNeverLinkInference() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.millrace.inference..", "org.rocksdb..")
        .check(BENCHMARKS);
  }
}
