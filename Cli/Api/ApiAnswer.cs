namespace Couic.Cli.Api;

/// <summary>An answer that says yes, read to its end.</summary>
internal sealed record ApiAnswer(int Status, byte[] Body);
