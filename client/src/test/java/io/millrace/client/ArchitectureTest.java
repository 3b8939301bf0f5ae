package io.millrace.client;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.millrace.testing.Packages;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The arrows between the packages of this module, and from it to other modules. */
@Tag("unit")
class ArchitectureTest {
  private static final String ROOT = "io.millrace.client";

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(ROOT);

  @Test
  void packagesFormNoCycle() {
    slices().assignedFrom(Packages.of(ROOT)).should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void theClientKnowsNoOtherModuleThanSchemas() {
    noClasses()
        .should()
        .dependOnClassesThat(
            resideInAPackage("io.millrace..")
                .and(not(resideInAnyPackage(ROOT + "..", "io.millrace.schemas.."))))
        .check(CLASSES);
  }

  @Test
  void processConventionsKnowNeitherKafkaNorRecords() {
    noClasses()
        .that()
        .resideInAnyPackage(ROOT + ".process..", ROOT + ".settings..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "org.apache.kafka..",
            "org.apache.avro..",
            "io.millrace.schemas",
            "io.millrace.schemas.registry..",
            "io.millrace.schemas.rollout..",
            "io.millrace.schemas.signing..")
        .check(CLASSES);
  }

  /** Log4j makes its classes by name; no process needs log4j for anything else. */
  @Test
  void onlyThePartsOfAPatternKnowLog4j() {
    noClasses()
        .that()
        .resideOutsideOfPackage(ROOT + ".log..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.apache.logging..", ROOT + ".log..")
        .check(CLASSES);
  }
}
