namespace Couic.Cli.Syntax;

/// <summary>What a word on the command line stands for, so that shells can complete it.</summary>
internal enum ValueKind
{
    /// <summary>Free text; nothing to complete.</summary>
    Text,
    File,
    Policy,
    Group,
    Shell,
    SetName,
    ClientName,
    CommandPath,
}
