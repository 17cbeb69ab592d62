using System.Reflection;

namespace Couic.Cli;

/// <summary>The version that the build was given.</summary>
internal static class ProductVersion
{
    /// <summary>MAJOR.MINOR.PATCH.</summary>
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetName().Version!.ToString(3);
}
