package io.millrace.inference;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import io.millrace.testing.Packages;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The arrows between the packages of this module, and from them to other modules and libraries. */
@Tag("unit")
class ArchitectureTest {
  private static final String ROOT = "io.millrace.inference";

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(ROOT);

  /** Which packages of this module each one may use. The root may use them all. */
  private static final Map<String, List<String>> MAY_USE =
      new TreeMap<>(
          Map.of(
              "store", List.of(),
              "metrics", List.of(),
              "serving", List.of("store", "metrics"),
              "log", List.of("serving", "store", "metrics"),
              "predict", List.of("serving", "store", "metrics"),
              "decide", List.of("serving", "store"),
              "feedback", List.of("predict", "store", "metrics"),
              "dashboard", List.of("log", "store"),
              "http",
                  List.of(
                      "dashboard",
                      "decide",
                      "feedback",
                      "log",
                      "metrics",
                      "predict",
                      "serving",
                      "store")));

  @Test
  void everyPackageIsListed() {
    assertThat(CLASSES.stream().map(JavaClass::getPackageName).distinct())
        .containsExactlyInAnyOrderElementsOf(
            Stream.concat(
                    Stream.of(ROOT), MAY_USE.keySet().stream().map(ArchitectureTest::packageOf))
                .toList());
  }

  @Test
  void everyPackageUsesOnlyThoseItMay() {
    MAY_USE.forEach(
        (name, others) ->
            classes()
                .that()
                .resideInAPackage(packageOf(name))
                .should()
                .onlyDependOnClassesThat(
                    resideOutsideOfPackages(ROOT + "..")
                        .or(resideInAPackage(packageOf(name)))
                        .or(
                            resideInAnyPackage(
                                others.stream()
                                    .map(ArchitectureTest::packageOf)
                                    .toArray(String[]::new))))
                .check(CLASSES));
  }

  @Test
  void thePackagesFormNoCircleTheRootIncluded() {
    slices().assignedFrom(Packages.of(ROOT)).should().beFreeOfCycles().check(CLASSES);
  }

  /** A domain's inventory, plans, pointer and merges: each type knows only those before it. */
  @Test
  void theTypesOfWhatServesFormNoCircle() {
    slices().assignedFrom(new ByServingType()).should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void theRootHoldsWhatStartsTheProcessAlone() {
    assertThat(
            CLASSES.stream()
                .filter(type -> type.getPackageName().equals(ROOT) && type.isTopLevelClass())
                .map(JavaClass::getSimpleName)
                .filter(name -> !name.equals("package-info"))
                .collect(Collectors.toSet()))
        .containsExactlyInAnyOrder(
            "ServeCommand",
            "ServingProcess",
            "ServingSettings",
            "DashboardCommand",
            "DashboardProcess",
            "DashboardSettings",
            "Listening",
            "ProcessFiles");
  }

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
  void theEngineOfTheMethodIsClosed() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.millrace.svft.engine..", "ai.djl..")
        .check(CLASSES);
  }

  @Test
  void onlyWhatAnswersClientsKnowsJetty() {
    noClasses()
        .that()
        .resideOutsideOfPackage(packageOf("http"))
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.eclipse.jetty..")
        .check(CLASSES);
  }

  @Test
  void onlyWhatCountsAndWhatIsScrapedKnowsPrometheus() {
    noClasses()
        .that()
        .resideOutsideOfPackages(packageOf("metrics"), packageOf("http"))
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.prometheus..")
        .check(CLASSES);
  }

  @Test
  void onlyWhatReadsAndWritesTopicsKnowsKafka() {
    noClasses()
        .that()
        .haveNameNotMatching(
            ".*\\.(TopicReader|FollowedTopic|KafkaClients|GroupLag|ExampleWriter|ExampleSearch|SharedRequests)(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.apache.kafka..")
        .check(CLASSES);
  }

  @Test
  void onlyTheKeyValueStoreKnowsRocksDb() {
    noClasses()
        .that()
        .haveNameNotMatching(".*\\.KeyValueStore(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.rocksdb..")
        .check(CLASSES);
  }

  private static String packageOf(String name) {
    return ROOT + "." + name;
  }

  /** Each top-level type of the package that serves is a slice. */
  private static final class ByServingType implements SliceAssignment {
    @Override
    public SliceIdentifier getIdentifierOf(JavaClass type) {
      if (!type.getPackageName().equals(packageOf("serving"))) {
        return SliceIdentifier.ignore();
      }
      JavaClass outermost = type;
      while (outermost.getEnclosingClass().isPresent()) {
        outermost = outermost.getEnclosingClass().get();
      }
      return SliceIdentifier.of(outermost.getSimpleName());
    }

    @Override
    public String getDescription() {
      return "types of " + packageOf("serving");
    }
  }
}
