package io.millrace.svft.method;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class PositionsTest {
  @Test
  void flatIndicesBecomeRowsAndColumns() {
    Positions positions = Positions.of(new int[] {0, 3, 4, 11, 15}, 4);

    assertThat(positions.rows()).containsExactly(0, 0, 1, 2, 3);
    assertThat(positions.columns()).containsExactly(0, 3, 0, 3, 3);
    assertThat(positions.size()).isEqualTo(5);
    assertThat(positions.flat(4)).containsExactly(0, 3, 4, 11, 15);
  }

  @Test
  void equalityIsByContent() {
    Positions one = Positions.of(new int[] {1, 5}, 3);
    Positions same = new Positions(new int[] {0, 1}, new int[] {1, 2});

    assertThat(one).isEqualTo(same).hasSameHashCodeAs(same);
    assertThat(one).isNotEqualTo(Positions.of(new int[] {1, 4}, 3));
    assertThat(one).isNotEqualTo(Positions.of(new int[] {1}, 3));
  }

  @Test
  void serializationKeepsThem() throws Exception {
    Positions positions = Positions.of(new int[] {1, 5}, 3);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(positions);
    }

    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isEqualTo(positions);
    }
  }

  @Test
  void onlyPlacesOfTheDiagonalAreDiagonal() {
    assertThat(Positions.of(new int[] {0, 4, 8}, 3).isDiagonal()).isTrue();
    assertThat(Positions.of(new int[] {0, 4, 7}, 3).isDiagonal()).isFalse();
  }

  @Test
  void whatIsNotAscendingIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Positions.of(new int[] {0, 5, 5}, 3))
        .withMessage("position 2, (1, 2), does not follow (1, 2) in row-major order");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Positions(new int[] {1, 0}, new int[] {0, 1}))
        .withMessage("position 1, (0, 1), does not follow (1, 0) in row-major order");
  }

  @Test
  void whatLiesOutsideTheMatrixIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Positions.of(new int[] {0, 9}, 3))
        .withMessage("position 1 is 9: outside 3 × 3");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Positions.of(new int[] {-1}, 3))
        .withMessageContaining("outside");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Positions(new int[] {0}, new int[] {-1}))
        .withMessageContaining("negative");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Positions(new int[] {2}, new int[] {3}).flat(3))
        .withMessage("position 0, (2, 3), lies outside 3 × 3");
  }

  @Test
  void rowsAndColumnsOfUnequalNumberAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Positions(new int[] {0, 1}, new int[] {0}))
        .withMessageContaining("2 rows and 1 columns");
  }
}
