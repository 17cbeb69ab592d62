namespace Couic.Cli.Api;

/// <summary>An answer that says yes, read to its end.</summary>
/// <param name="Warnings">What the daemon warns of though it did it.</param>
internal sealed record ApiAnswer(int Status, byte[] Body, IReadOnlyList<string> Warnings);
