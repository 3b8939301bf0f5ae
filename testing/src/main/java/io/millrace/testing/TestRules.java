package io.millrace.testing;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.net.URL;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Tags;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.platform.commons.annotation.Testable;

/**
 * What every test class keeps to. Each module has one empty subclass in its tests; the rules are
 * then held by the classes beside it.
 *
 * <ul>
 *   <li>A class is of one kind, and its tag says which. {@code unit}: it starts no process and no
 *       broker, uses no network but loopback sockets of its own, and takes seconds at most. {@code
 *       integration}: it starts Kafka, a registry, Flink, a JVM or the serving process, or takes
 *       longer. {@code chaos}: it breaks parts of a running system.
 *   <li>It waits with {@link Await}, which says what it waited for, and never sleeps.
 * </ul>
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class TestRules {
  private static final Set<String> KINDS = Set.of("unit", "integration", "chaos");

  private final JavaClasses tests = new ClassFileImporter().importUrl(testClasses());

  private URL testClasses() {
    return getClass().getProtectionDomain().getCodeSource().getLocation();
  }

  @Test
  void everyTestClassIsOfOneKind() {
    classes().that(HAVE_TESTS).should(BE_OF_ONE_KIND).check(tests);
  }

  @Test
  void testsWaitWithAwaitAndNeverSleep() {
    noClasses().should().callMethodWhere(A_THREAD_PAUSES).check(tests);
  }

  private static final DescribedPredicate<JavaClass> HAVE_TESTS =
      DescribedPredicate.describe(
          "have tests",
          type ->
              !type.getModifiers().contains(JavaModifier.ABSTRACT)
                  && type.getAllMethods().stream()
                      .anyMatch(each -> each.isMetaAnnotatedWith(Testable.class)));

  private static final ArchCondition<JavaClass> BE_OF_ONE_KIND =
      new ArchCondition<>("carry one of the tags " + KINDS) {
        @Override
        public void check(JavaClass type, ConditionEvents events) {
          List<String> kinds = tags(type).filter(KINDS::contains).toList();
          events.add(
              new SimpleConditionEvent(
                  type, kinds.size() == 1, type.getName() + " carries " + kinds));
        }
      };

  private static final DescribedPredicate<JavaMethodCall> A_THREAD_PAUSES =
      DescribedPredicate.describe(
          "a thread sleeps, parks or spins",
          call ->
              call.getTargetOwner().isEquivalentTo(LockSupport.class)
                  || call.getTargetOwner().isEquivalentTo(TimeUnit.class)
                      && call.getName().equals("sleep")
                  || call.getTargetOwner().isEquivalentTo(Thread.class)
                      && Set.of("sleep", "onSpinWait").contains(call.getName()));

  private static Stream<String> tags(JavaClass type) {
    return Stream.concat(
            type.tryGetAnnotationOfType(Tag.class).stream(),
            type.tryGetAnnotationOfType(Tags.class).stream()
                .flatMap(tags -> Stream.of(tags.value())))
        .map(Tag::value);
  }
}
