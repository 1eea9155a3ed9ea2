// Package chart holds what the Helm chart promises: that each value does
// something, that what it makes is taken by a real API server, that the rights
// that it gives are enough and no more, and that the values files of users of
// ingress-nginx install.
package chart
