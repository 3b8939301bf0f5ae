package io.millrace.testing;

import org.junit.jupiter.api.Tag;

@Tag("unit")
class TestRulesTest extends TestRules {}
