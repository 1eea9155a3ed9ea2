// Package lab turns measures into the rows of a table: what was measured, what
// it must reach, and whether it does.
//
// It may not take a figure itself, repeat a measure that failed, or leave one
// out: what could not be taken has a row that says why.
package lab
