package io.millrace.testing;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;

/** Slices for ArchUnit's rule on cycles. */
public final class Packages {
  private Packages() {}

  /**
   * Each package of a module is a slice of its own, the root package included, which patterns such
   * as {@code io.millrace.svft.(*)..} leave out.
   *
   * @param root the module's root package
   */
  public static SliceAssignment of(String root) {
    return new SliceAssignment() {
      @Override
      public SliceIdentifier getIdentifierOf(JavaClass type) {
        String name = type.getPackageName();
        return name.equals(root) || name.startsWith(root + ".")
            ? SliceIdentifier.of(name)
            : SliceIdentifier.ignore();
      }

      @Override
      public String getDescription() {
        return "the packages of " + root;
      }
    };
  }
}
