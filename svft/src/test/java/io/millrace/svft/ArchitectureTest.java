package io.millrace.svft;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.AdapterMethods;
import io.millrace.svft.method.MethodForm;
import io.millrace.testing.Packages;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ArchitectureTest {
  private final JavaClasses classes =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("io.millrace.svft");

  @Test
  void theMethodKnowsNothingOfStreamsOrRecords() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.apache.kafka..", "org.apache.flink..", "org.apache.avro..")
        .check(classes);
  }

  @Test
  void theMethodDependsOnNoOtherModule() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.millrace.schemas..",
            "io.millrace.client..",
            "io.millrace.operators..",
            "io.millrace.inference..",
            "io.millrace.pipeline..")
        .check(classes);
  }

  /** The root package included. */
  @Test
  void packagesFormNoCycle() {
    slices().assignedFrom(Packages.of("io.millrace.svft")).should().beFreeOfCycles().check(classes);
  }

  @Test
  void theEngineKnowsNoMethodAndNoTraining() {
    noClasses()
        .that()
        .resideInAPackage("io.millrace.svft.engine..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.millrace.svft.method..",
            "io.millrace.svft.task..",
            "io.millrace.svft.adapter..",
            "io.millrace.svft.training..",
            "io.millrace.svft.export..")
        .check(classes);
  }

  @Test
  void everyMethodIsListed() {
    List<String> forms = AdapterMethods.forms().stream().map(MethodForm::id).toList();
    List<String> methods =
        classes.stream()
            .filter(type -> type.isAssignableTo(AdapterMethod.class) && !type.isInterface())
            .map(JavaClass::getSimpleName)
            .toList();

    assertThat(forms.stream().map(AdapterMethod::parse).map(m -> m.getClass().getSimpleName()))
        .containsExactlyInAnyOrderElementsOf(methods);
  }
}
