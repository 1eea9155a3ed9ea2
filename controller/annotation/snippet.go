package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Snippet is directives that a user wrote.
type Snippet struct{}

func readSnippet(_ *option.Reader, _ bool) Snippet { return Snippet{} }
