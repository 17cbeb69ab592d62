using System.Text.Json.Serialization;

namespace Couic.Http.Wire;

/// <summary>Serializers for the bodies of the API, made at compile time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(EntryRecord[]))]
[JsonSerializable(typeof(NewEntry))]
[JsonSerializable(typeof(ClientRecord[]))]
[JsonSerializable(typeof(NewClient))]
[JsonSerializable(typeof(ErrorBody))]
public sealed partial class WireJson : JsonSerializerContext;
