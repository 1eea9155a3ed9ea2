package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Snippet is directives that a user wrote.
type Snippet struct{}

func readSnippet(_ *option.Reader) Snippet { return Snippet{} }
