package io.millrace.schemas;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.millrace.testing.Packages;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ArchitectureTest {
  private static final String MODULE = "io.millrace.schemas";

  private final JavaClasses classes =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(MODULE);

  @Test
  void packagesFormNoCircle() {
    slices().assignedFrom(Packages.of(MODULE)).should().beFreeOfCycles().check(classes);
  }

  /** Jackson comes with Avro, which describes its schemas with it. */
  @Test
  void schemasDependOnAvroAlone() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            MODULE + "..",
            "java..",
            "javax.net.ssl..",
            "org.apache.avro..",
            "com.fasterxml.jackson..")
        .check(classes);
  }
}
