package io.millrace.operators;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
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
  private static final String MODULE = "io.millrace.operators";

  private final JavaClasses classes =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(MODULE);

  /** Every package is a slice of its own, the root included. */
  private static final SliceAssignment PACKAGES =
      new SliceAssignment() {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass type) {
          return type.getPackageName().startsWith(MODULE)
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
    slices().assignedFrom(PACKAGES).should().beFreeOfCycles().check(classes);
  }

  @Test
  void theRootHoldsNoClass() {
    classes()
        .that()
        .doNotHaveSimpleName("package-info")
        .should()
        .resideOutsideOfPackage(MODULE)
        .check(classes);
  }

  @Test
  void operatorsLeaveKafkaToThePipeline() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.apache.kafka..", "org.apache.flink.connector.kafka..")
        .check(classes);
  }

  @Test
  void operatorsDependOnSvftAndSchemasAndOnNoOtherModule() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.millrace.client..",
            "io.millrace.inference..",
            "io.millrace.pipeline..",
            "io.millrace.benchmarks..")
        .check(classes);
  }

  @Test
  void theEngineIsClosed() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.millrace.svft.engine..")
        .check(classes);
  }
}
