package main

import (
	"bufio"
	"errors"
	"io"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// What became of one document.
type decoded struct {
	Kind string `json:"kind"`
	// Empty where the document is an object of its kind, without a field that the kind doesn't have, or one twice.
	Fault string `json:"fault"`
	// What forbids its pods under the pod security standard "restricted"; empty where nothing does, or where it makes none.
	NotRestricted string `json:"notRestricted"`
}

// Reads each document of a stream of YAML into the Go type of its kind, as strictly as an API server with fieldValidation=Strict.
func decode(from io.Reader) ([]decoded, error) {
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme, monitoring.AddToScheme} {
		if err := add(kinds); err != nil {
			return nil, err
		}
	}
	standards, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
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
		object, kind, err := decoder.Decode(document, nil, nil)
		one := decoded{}
		if kind != nil {
			one.Kind = kind.Kind
		}
		if err != nil {
			one.Fault = err.Error()
		}
		if template := podsOf(object); template != nil {
			result := policy.AggregateCheckResults(standards.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
			if !result.Allowed {
				one.NotRestricted = result.ForbiddenDetail()
			}
		}
		answer = append(answer, one)
	}
}

// The pods that an object makes, or is; nil where it makes none.
func podsOf(object runtime.Object) *core.PodTemplateSpec {
	switch object := object.(type) {
	case *core.Pod:
		return &core.PodTemplateSpec{ObjectMeta: object.ObjectMeta, Spec: object.Spec}
	case *apps.Deployment:
		return &object.Spec.Template
	case *batch.Job:
		return &object.Spec.Template
	}
	return nil
}
