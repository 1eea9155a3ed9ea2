package chart

import (
	"testing"
)

// Each file in ci/ is rendered.
func TestCombinations(t *testing.T) {
	for name, text := range files(t, chartFolder+"/ci/*.yaml") {
		t.Run(name, func(t *testing.T) {
			r := must(t, text)
			if testing.Verbose() {
				t.Log(r.text(t))
			}
		})
	}
}
