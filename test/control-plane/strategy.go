package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/storage/names"
)

// strategy is what happens to built-in objects on their way in: defaults that clients rely on, and no validation beyond that of names and metadata.
type strategy struct {
	runtime.ObjectTyper
	names.NameGenerator
	namespaced bool
}

func newStrategy(namespaced bool) strategy {
	return strategy{builtInScheme, names.SimpleNameGenerator, namespaced}
}

func (s strategy) NamespaceScoped() bool { return s.namespaced }

func (s strategy) PrepareForCreate(_ context.Context, object runtime.Object) {
	if namespace, ok := object.(*corev1.Namespace); ok {
		prepareNamespace(namespace)
	}
	prepare(object)
}

func (s strategy) PrepareForUpdate(_ context.Context, object, _ runtime.Object) { prepare(object) }

func prepare(object runtime.Object) {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return
	}
	if secret.Data == nil && len(secret.StringData) > 0 {
		secret.Data = map[string][]byte{}
	}
	for key, value := range secret.StringData {
		secret.Data[key] = []byte(value)
	}
	secret.StringData = nil
	if secret.Type == "" {
		secret.Type = corev1.SecretTypeOpaque
	}
}

func (s strategy) Validate(context.Context, runtime.Object) field.ErrorList { return nil }

func (s strategy) ValidateUpdate(context.Context, runtime.Object, runtime.Object) field.ErrorList {
	return nil
}

func (s strategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

func (s strategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

func (s strategy) AllowCreateOnUpdate() bool      { return false }
func (s strategy) AllowUnconditionalUpdate() bool { return true }
func (s strategy) Canonicalize(runtime.Object)    {}
