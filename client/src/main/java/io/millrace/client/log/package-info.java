/**
 * Parts of a log4j pattern; log4j finds them by their annotations. Only configurations name them:
 * log4j need not be on the class path.
 */
package io.millrace.client.log;
