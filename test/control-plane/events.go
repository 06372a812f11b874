package main

import (
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
)

// addEventConversions makes events of `events.k8s.io/v1` and of `v1` two views of one object, as in a kube-apiserver: operators write the former,
// `kubectl describe` reads the latter.
func addEventConversions(scheme *runtime.Scheme) error {
	if err := scheme.AddConversionFunc((*corev1.Event)(nil), (*eventsv1.Event)(nil), func(from, to any, _ conversion.Scope) error {
		toEventsV1(from.(*corev1.Event), to.(*eventsv1.Event))
		return nil
	}); err != nil {
		return err
	}
	if err := scheme.AddConversionFunc((*eventsv1.Event)(nil), (*corev1.Event)(nil), func(from, to any, _ conversion.Scope) error {
		fromEventsV1(from.(*eventsv1.Event), to.(*corev1.Event))
		return nil
	}); err != nil {
		return err
	}
	if err := scheme.AddConversionFunc((*corev1.EventList)(nil), (*eventsv1.EventList)(nil), func(from, to any, _ conversion.Scope) error {
		source, target := from.(*corev1.EventList), to.(*eventsv1.EventList)
		target.ListMeta, target.Items = source.ListMeta, make([]eventsv1.Event, len(source.Items))
		for i := range source.Items {
			toEventsV1(&source.Items[i], &target.Items[i])
		}
		return nil
	}); err != nil {
		return err
	}
	return scheme.AddFieldLabelConversionFunc(corev1.SchemeGroupVersion.WithKind("Event"), func(label, value string) (string, string, error) {
		if _, known := eventFields(&corev1.Event{})[label]; known {
			return label, value, nil
		}
		return runtime.DefaultMetaV1FieldSelectorConversion(label, value)
	})
}

func toEventsV1(from *corev1.Event, to *eventsv1.Event) {
	*to = eventsv1.Event{
		ObjectMeta: from.ObjectMeta, EventTime: from.EventTime, Series: (*eventsv1.EventSeries)(from.Series), ReportingController: from.ReportingController,
		ReportingInstance: from.ReportingInstance, Action: from.Action, Reason: from.Reason, Regarding: from.InvolvedObject, Related: from.Related, Note: from.Message,
		Type: from.Type, DeprecatedSource: from.Source, DeprecatedFirstTimestamp: from.FirstTimestamp, DeprecatedLastTimestamp: from.LastTimestamp, DeprecatedCount: from.Count,
	}
}

func fromEventsV1(from *eventsv1.Event, to *corev1.Event) {
	*to = corev1.Event{
		ObjectMeta: from.ObjectMeta, EventTime: from.EventTime, Series: (*corev1.EventSeries)(from.Series), ReportingController: from.ReportingController,
		ReportingInstance: from.ReportingInstance, Action: from.Action, Reason: from.Reason, InvolvedObject: from.Regarding, Related: from.Related, Message: from.Note,
		Type: from.Type, Source: from.DeprecatedSource, FirstTimestamp: from.DeprecatedFirstTimestamp, LastTimestamp: from.DeprecatedLastTimestamp, Count: from.DeprecatedCount,
	}
}

// eventFields is what field selectors on events may name, beside name and namespace.
func eventFields(event *corev1.Event) fields.Set {
	return fields.Set{
		"involvedObject.kind": event.InvolvedObject.Kind, "involvedObject.namespace": event.InvolvedObject.Namespace, "involvedObject.name": event.InvolvedObject.Name,
		"involvedObject.uid": string(event.InvolvedObject.UID), "involvedObject.apiVersion": event.InvolvedObject.APIVersion,
		"involvedObject.resourceVersion": event.InvolvedObject.ResourceVersion, "involvedObject.fieldPath": event.InvolvedObject.FieldPath,
		"reason": event.Reason, "type": event.Type, "reportingComponent": event.ReportingController, "source": event.Source.Component,
	}
}
