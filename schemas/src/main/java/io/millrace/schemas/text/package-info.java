/** How text that others wrote is shown to people. Knows no records. */
package io.millrace.schemas.text;
