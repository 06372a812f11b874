package main

import (
	"bufio"
	"errors"
	"io"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// What became of one document.
type decoded struct {
	Kind string `json:"kind"`
	// Empty where the document is an object of its kind, without a field that the kind doesn't have, or one twice.
	Fault string `json:"fault"`
}

// Reads each document of a stream of YAML into the Go type of its kind, as strictly as an API server with fieldValidation=Strict.
func decode(from io.Reader) ([]decoded, error) {
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme, monitoring.AddToScheme} {
		if err := add(kinds); err != nil {
			return nil, err
		}
	}
	decoder := serializer.NewCodecFactory(kinds, serializer.EnableStrict).UniversalDeserializer()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(from))
	answer := []decoded{}
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return answer, nil
		}
		if err != nil {
			return nil, err
		}
		_, kind, err := decoder.Decode(document, nil, nil)
		one := decoded{}
		if kind != nil {
			one.Kind = kind.Kind
		}
		if err != nil {
			one.Fault = err.Error()
		}
		answer = append(answer, one)
	}
}
