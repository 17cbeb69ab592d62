namespace Couic.Api.Contracts;

/// <summary>The body of every answer that says no.</summary>
/// <param name="Errors">What is wrong with each field; empty when no single one is to blame.</param>
public sealed record ErrorBody(string Code, Dictionary<string, FieldError>? Errors, string Message);

/// <summary>What is wrong with one field.</summary>
public sealed record FieldError(string Code, string Message);
