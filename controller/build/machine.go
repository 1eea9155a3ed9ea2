package build

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// referredByKeys reads what keys of the ConfigMap name: what is wrong of it is left out.
func (t *task) referredByKeys(object model.Object) {
	s := &t.result.Config.Settings
	if s.TicketKey != "" {
		if key, err := base64.StdEncoding.DecodeString(s.TicketKey); err == nil { // its check held
			s.Machine.TicketKey = t.file(key, true)
		}
	}
	if s.DHParam != "" {
		id, err := t.dhParam(s.DHParam)
		if err != nil {
			t.problem(object, "data.ssl-dh-param", err.Error())
		}
		s.Machine.DHParam = id
	}
	s.Machine.RequestHeaders = t.headersFor(object, "proxy-set-headers", s.RequestHeaders, requestVariables)
	s.Machine.AddHeaders = t.headersFor(object, "add-headers", s.AddHeaders, nil)
}

func (t *task) dhParam(reference string) (model.FileID, error) {
	key := keyIn(t.o.ConfigMap.Namespace, reference)
	t.used[key] = true
	secret := t.s.Secrets[key]
	if secret == nil {
		return "", fmt.Errorf("names Secret %s, which %w", key, errMissing)
	}
	block, _ := pem.Decode(secret.Data["dhparam.pem"])
	if block == nil || block.Type != "DH PARAMETERS" || len(block.Bytes) < 128 {
		return "", fmt.Errorf("names Secret %s, whose dhparam.pem has no DH parameters", key)
	}
	return t.file(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}), true), nil
}

// requestVariables are those that a header for endpoints may have.
var requestVariables = append(strings.Fields(`remote_addr remote_port host http_host best_http_host req_id request_id request_uri args
	is_args query_string scheme https server_name server_port server_addr server_protocol request_method content_type content_length
	msec time_iso8601 hostname realip_remote_addr realip_remote_port connection connection_requests ssl_protocol ssl_cipher
	ssl_client_verify ssl_client_s_dn ssl_client_i_dn ssl_client_serial ssl_client_fingerprint ssl_client_escaped_cert proxy_add_x_forwarded_for`),
	"http_*", "arg_*", "cookie_*")

// framing are the headers that say where a request ends, and whom it is for.
var framing = []string{"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}

// headersFor are the names and values of a ConfigMap, in turn.
func (t *task) headersFor(object model.Object, key, reference string, variables []string) option.List {
	if reference == "" {
		return ""
	}
	name := keyIn(object.Namespace, reference)
	from, err := t.texts(name)
	if err != nil {
		t.problem(object, "data."+key, err.Error())
	}
	var texts []string
	for _, header := range slices.Sorted(maps.Keys(from)) {
		value := strings.TrimSpace(from[header])
		if err := headerOf(header, value, variables); err != nil {
			t.problem(object, "data."+key, fmt.Sprintf("ConfigMap %s: %v; it is left out", name, err))
			continue
		}
		texts = append(texts, header, value)
	}
	return option.ListOf(texts...)
}

func headerOf(name, value string, variables []string) error {
	if _, err := option.HeaderName.Parse(name); err != nil || len(name) > 100 {
		return fmt.Errorf("%.80q is not the name of a header", name)
	}
	if slices.Contains(framing, strings.ToLower(name)) {
		return fmt.Errorf("header %s may not be set", name)
	}
	if !plainValue(value) || len(value) > maxParam || strings.HasSuffix(value, `\`) {
		return fmt.Errorf("header %s has an empty value, one longer than %d bytes, control characters, or a backslash at its end", name, maxParam)
	}
	if _, err := option.Template(value, variables...); err != nil {
		return fmt.Errorf("header %s: %w", name, err)
	}
	return nil
}
