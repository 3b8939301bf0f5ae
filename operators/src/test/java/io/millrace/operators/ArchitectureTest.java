package io.millrace.operators;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.millrace.testing.Packages;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ArchitectureTest {
  private static final String MODULE = "io.millrace.operators";

  private final JavaClasses classes =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(MODULE);

  @Test
  void packagesFormNoCircle() {
    slices().assignedFrom(Packages.of(MODULE)).should().beFreeOfCycles().check(classes);
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
